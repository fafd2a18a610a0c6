"""Diagnosis: what is wrong with a network, read off the graph of one loss or of a whole training.

`origin` finds where infinity began, `activation` what a slope says of a unit, `snapshot` measures one
iteration, `monitor` many, `symptoms` judges them, `report` and `plots` tell. Nothing is computed
again: every value and gradient is in the recorded graph.
"""

from chainrule.inspect.diagnose.examine import diagnose as diagnose
from chainrule.inspect.diagnose.monitor import Monitor as Monitor
from chainrule.inspect.diagnose.report import Diagnosis as Diagnosis
from chainrule.inspect.diagnose.symptoms import Limits as Limits
from chainrule.inspect.diagnose.symptoms import Symptom as Symptom
