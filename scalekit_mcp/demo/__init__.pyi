from .tour import run_tour as run_tour
