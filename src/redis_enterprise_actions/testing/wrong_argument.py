"""`WrongArgument`: the error of a fake cluster about one argument of a method."""

from __future__ import annotations


class WrongArgument(ValueError):
    """The cluster refuses an argument of one of its methods.

    `argument` is its name, with a dot before a part of it: "uid" or "plan.outcome".
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(problem)
        self.argument = argument

    def __reduce__(self) -> tuple[type[WrongArgument], tuple[str, str]]:
        return WrongArgument, (self.argument, str(self))
