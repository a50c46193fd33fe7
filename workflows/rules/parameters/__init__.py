"""The kinds of parameters that guards, actions and triggers have. Each kind is a form field.

The builder shows the field; imported and published values are checked by the same class. A kind therefore defines in
one place how its value is entered, which values are valid, and how a value is shown in a list.
"""

from .base import NOTHING, Label, Param, ParameterField, Text
from .choices import Choice, Choices, Endpoint, PriorityChoice, Role, Verb
from .rows import Calendar, Organisation, Organisations, Row, Rows, Service, Team, row_names, rows_named
from .values import EXPRESSION_NAMES, Expression, Flag, LongText, Number, Template, Texts

__all__ = [
    "EXPRESSION_NAMES",
    "NOTHING",
    "Calendar",
    "Choice",
    "Choices",
    "Endpoint",
    "Expression",
    "Flag",
    "Label",
    "LongText",
    "Number",
    "Organisation",
    "Organisations",
    "Param",
    "ParameterField",
    "PriorityChoice",
    "Role",
    "Row",
    "Rows",
    "Service",
    "Team",
    "Template",
    "Text",
    "Texts",
    "Verb",
    "row_names",
    "rows_named",
]
