"""The page: one HTML file that shows a graph, opens and closes its parts, and walks through it.

Everything is in the file: no network, no server. Python lays out every part once; the script in the
page only puts parts into each other, as `draw.arrange` does.
"""

from chainrule.inspect.page.page import Page as Page
from chainrule.inspect.page.page import page as page
