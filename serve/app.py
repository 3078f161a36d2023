"""The deployable application: ``uvicorn serve.app:app``."""

from leadml.api.app import create_app
from leadml.settings import Settings

app = create_app(Settings())
