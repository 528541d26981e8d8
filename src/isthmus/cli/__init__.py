"""The command line: every command is here, and nothing below starts it."""

from .main import main as main
from .main import main_app as main_app
