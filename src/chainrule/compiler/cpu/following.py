"""Following: the native code of a team, of the thread that leads and of those that follow.

Followers sit in native code and wait for the next job: a while spinning, then letting others run
first, then asleep. The leader posts a job, does its own share and waits for the others. A job is a
function that every thread calls with its number; what it computes is not known here.
"""

from __future__ import annotations

from chainrule.compiler.cpu import ir
from chainrule.compiler.cpu.code import INDEX, POINTER, constant
from chainrule.compiler.cpu.meeting import (
    ALLOW,
    ALLOWED,
    JOB,
    MEANS,
    PATIENCE,
    RUNNING,
    SLEEP,
    SLEEPERS,
    TURN,
    WHERE,
    WORD,
    Meeting,
)
from chainrule.compiler.cpu.sequence import TOGETHER
from chainrule.compiler.cpu.target import Target

# The items of the line JOB: the function (null: go home), its arguments, how many threads there are,
# and on which processor the leader is.
FUNCTION, TABLE, ROOM, FIRST, LAST, THREADS, PROCESSOR = range(7)
_YIELDS = 3000  # times that others may run first, about a millisecond: steps called from Python are nearer
_PROCESSORS = 1024  # in the system's masks
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE among the threads of one process
_SHORT, _LONG = 64, 1024  # microseconds of sleep where nobody can wake


def text(target: Target, futex: int, unit: int) -> str:
    """Return a module with `lead`, `follow` and `spin`.

    `futex` is the number of Linux's system call of that name; where it is 0, followers sleep for
    ever longer times, which are told to the sleep function in units of `unit` microseconds.
    """
    module = ir.Module(target.triple)
    _lead(module, target, futex)
    _follow(module, target, futex, unit)
    _spin(module, target)
    return str(module)


def _function(module: ir.Module, name: str, arguments: list[ir.Type]) -> ir.Function:
    return ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER, *arguments]), name)


def _lead(module: ir.Module, target: Target, futex: int) -> None:
    """Write `void lead(ptr team, ptr function, ptr table, ptr room, i64 first, i64 last, i64 threads)`."""
    function = _function(module, "lead", [POINTER, POINTER, POINTER, INDEX, INDEX, INDEX])
    team, *job = function.args
    code = Meeting(function, target, team)
    builder = code.builder
    for item, value in enumerate(job):
        code.tell(JOB, item, value)
    if futex:
        code.tell(JOB, PROCESSOR, builder.zext(_processor(code), INDEX))
    code.put(RUNNING, builder.trunc(builder.sub(job[THREADS], constant(1)), WORD))
    code.change(TURN, 1)
    if futex:
        sleepers = builder.load_atomic(code.word(SLEEPERS), "seq_cst", 4, WORD)
        with code.only_if(builder.icmp_signed(">", sleepers, WORD(0))):
            _call_futex(code, futex, _WAKE, WORD(2**31 - 1))
    _work(code, constant(0))
    patience = builder.ashr(code.told(MEANS, PATIENCE), constant(3))
    code.wait(lambda: builder.icmp_signed(">", code.look(RUNNING), WORD(0)), patience, code.step_aside)
    code.finish()


def _follow(module: ir.Module, target: Target, futex: int, unit: int) -> None:
    """Write `void follow(ptr team, i64 thread)`, which comes back when it is sent home."""
    function = _function(module, "follow", [INDEX])
    team, thread = function.args
    code = Meeting(function, target, team)
    builder = code.builder
    turn, nap, yields = code.variable(WORD(0)), code.variable(WORD(_SHORT)), code.variable(WORD(0))

    def tired() -> None:
        code.step_aside()
        code.set(yields, builder.add(code.get(yields), WORD(1)))
        with code.only_if(builder.icmp_signed(">", code.get(yields), WORD(_YIELDS))):
            sleep()

    def sleep() -> None:
        if futex:
            code.change(SLEEPERS, 1)
            _call_futex(code, futex, _WAIT, code.get(turn))
            code.change(SLEEPERS, -1)
            _leave_the_leaders_processor(code)
        else:
            length = code.get(nap)
            nod_off = code.told(MEANS, SLEEP, POINTER)
            code.call_at(nod_off, ir.FunctionType(WORD, [WORD]), [builder.udiv(length, WORD(unit))])
            code.set(nap, code.call("llvm.umin", [builder.shl(length, WORD(1)), WORD(_LONG)]))

    again, home = function.append_basic_block("again"), function.append_basic_block("home")
    builder.branch(again)
    builder.position_at_end(again)
    code.set(nap, WORD(_SHORT))
    code.set(yields, WORD(0))
    unchanged = lambda: builder.icmp_signed("==", code.look(TURN), code.get(turn))  # noqa: E731
    code.wait(unchanged, code.told(MEANS, PATIENCE), tired)
    code.set(turn, builder.add(code.get(turn), WORD(1)))
    goes = builder.icmp_unsigned("!=", code.told(JOB, FUNCTION, POINTER), POINTER(None))
    _work(code, thread)
    code.change(RUNNING, -1)
    builder.cbranch(goes, again, home)
    builder.position_at_end(home)
    code.finish()


def _spin(module: ir.Module, target: Target) -> None:
    """Write `void spin(ptr unused, i64 times)`, which shows how long a spin takes."""
    function = _function(module, "spin", [INDEX])
    code = Meeting(function, target, function.args[0])
    with code.loop(0, function.args[1]):
        code.pause()
    code.finish()


def _work(code: Meeting, thread: ir.Value) -> None:
    """Do the job's share of one thread, if there is a job."""
    job = code.told(JOB, FUNCTION, POINTER)
    with code.only_if(code.builder.icmp_unsigned("!=", job, POINTER(None))):
        table, room = (code.told(JOB, item, POINTER) for item in (TABLE, ROOM))
        first, last, threads = (code.told(JOB, item) for item in (FIRST, LAST, THREADS))
        code.call_at(job, TOGETHER, [table, room, first, last, thread, threads, code.team])


def _processor(code: Meeting) -> ir.Value:
    return code.call_at(code.told(MEANS, WHERE, POINTER), ir.FunctionType(WORD, []), [])


def _leave_the_leaders_processor(code: Meeting) -> None:
    """Move to another processor if this thread was woken on the one where the leader is at work.

    Systems that gather threads to save power do that, and then leave them there for milliseconds.
    """
    builder, kind = code.builder, ir.FunctionType(WORD, [WORD, INDEX, POINTER])
    mask = code.entry.alloca(ir.ArrayType(INDEX, _PROCESSORS // 64))
    here = builder.zext(_processor(code), INDEX)
    arguments = [WORD(0), constant(_PROCESSORS // 8), mask]
    same = builder.icmp_unsigned("==", here, code.told(JOB, PROCESSOR))
    in_mask = builder.icmp_unsigned("<", here, constant(_PROCESSORS))
    with code.only_if(builder.and_(same, in_mask)):
        known = code.call_at(code.told(MEANS, ALLOWED, POINTER), kind, arguments)
        with code.only_if(builder.icmp_signed("==", known, WORD(0))):
            word, bit = builder.lshr(here, constant(6)), builder.and_(here, constant(63))
            allowed = code.load(mask, word, "int64")
            others = builder.and_(allowed, builder.not_(builder.shl(constant(1), bit)))
            for each in (others, allowed):
                code.store(each, mask, word, "int64")
                code.call_at(code.told(MEANS, ALLOW, POINTER), kind, arguments)


def _call_futex(code: Meeting, number: int, operation: int, value: ir.Value) -> None:
    kind = ir.FunctionType(INDEX, [INDEX], var_arg=True)
    args = [constant(number), code.word(TURN), WORD(operation), value, POINTER(None), POINTER(None), WORD(0)]
    code.call_at(code.told(MEANS, SLEEP, POINTER), kind, args)
