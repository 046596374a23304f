"""The part of Flask-WTF that the pages use."""

from wtforms import Form
from wtforms.fields import HiddenField

class FlaskForm(Form):
    csrf_token: HiddenField
    def validate_on_submit(self) -> bool: ...
