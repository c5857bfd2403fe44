from .browser import Page as Page
from .browser import read_page as read_page
from .sandbox import Sandbox as Sandbox
from .world import World as World
from .world.seed import DEFAULT_CLIENT_ID as DEFAULT_CLIENT_ID
from .world.seed import DEFAULT_CLIENT_SECRET as DEFAULT_CLIENT_SECRET
from .world.seed import DEFAULT_PERSON as DEFAULT_PERSON
