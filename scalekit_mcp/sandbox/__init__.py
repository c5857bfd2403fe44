"""A Microsoft look-alike for tests and demos: sign-in, tokens and calendars on loopback, every failure on a switch.

It shares no code with the product that it imitates Microsoft for.

```python
sandbox = Sandbox()
async with sandbox.serve() as base_url:
    settings = sandbox.environment(base_url)
```
"""

import lazy_loader

# pytest loads the plugin beside these names in every run, and must not wait for them.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
