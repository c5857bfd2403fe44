"""Identity: the sandbox's sign-in pages and token endpoint.

Holds no state of its own but what `World` and the objects made from it keep.
"""
