from .actions import Actions as Actions
from .actions import open_actions as open_actions
from .client import ScalekitClient as ScalekitClient
from .errors import ScalekitMCPError as ScalekitMCPError
from .sandbox import Sandbox as Sandbox
from .settings import Settings as Settings
from .settings import load_settings as load_settings

__version__: str
__all__: list[str]
