"""Looking into a graph: its gates, with every value and every gradient on every edge.

`ComputationalGraph` is the lecture's graph object. It is a view of what the engine recorded: the
rules it shows are the engine's own.
"""

from chainrule.inspect.box import Box as Box
from chainrule.inspect.check import check as check
from chainrule.inspect.check import check_function as check_function
from chainrule.inspect.checking.report import CheckReport as CheckReport
from chainrule.inspect.checking.report import FunctionReport as FunctionReport
from chainrule.inspect.diagnose import Diagnosis as Diagnosis
from chainrule.inspect.diagnose import Monitor as Monitor
from chainrule.inspect.diagnose import diagnose as diagnose
from chainrule.inspect.explain import Card as Card
from chainrule.inspect.explain import Explanation as Explanation
from chainrule.inspect.gate import Gate as Gate
from chainrule.inspect.graph import ComputationalGraph as ComputationalGraph
from chainrule.inspect.intervene import Effect as Effect
from chainrule.inspect.intervene import intervene as intervene
from chainrule.inspect.local import Local as Local
