from .remote_tour import run_remote_tour as run_remote_tour
from .tour import run_tour as run_tour
