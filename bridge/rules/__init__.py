"""Which events are pushed to which applications: rules and their actions, stored, and answered from memory."""

from bridge.rules.base import RuleListener
from bridge.rules.rules import MOST_ACTIONS, MOST_RULES, Rules

__all__ = ["MOST_ACTIONS", "MOST_RULES", "RuleListener", "Rules"]
