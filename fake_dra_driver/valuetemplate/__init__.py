"""Templates that people write into objects, for values that differ by device: strict, and harmless whatever they say.

Text outside of ``{{ }}`` and ``{% %}`` stays as it is. What a template makes is text; who asked for it reads it as a
number or a truth value. A name that does not exist is an error, and so is the text of a field that is missing; in
conditions, such a field is false, and equal to nothing. True and false are written as in JSON. ``sandbox`` says what
the language leaves out of Jinja, and what a template may use up; ``filters`` what it can do with values.
"""

from fake_dra_driver.valuetemplate.budget import limited_together
from fake_dra_driver.valuetemplate.template import Template, check_condition, holds, is_template, render
from fake_dra_driver.valuetemplate.text import TemplateError, written

__all__ = [
    "Template",
    "TemplateError",
    "check_condition",
    "holds",
    "is_template",
    "limited_together",
    "render",
    "written",
]
