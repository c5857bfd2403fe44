"""Sentences for people in a browser, in the languages of the files beside this one, and which of them a reader wants.

The rest of the program hands a `Sentence` on: a key and facts. Only a page turns it into words.
"""

from scalekit_mcp.languages.preference import preferred
from scalekit_mcp.languages.sentences import LANGUAGES, Sentence, Words, said, verbatim, words_in

__all__ = ["LANGUAGES", "Sentence", "Words", "preferred", "said", "verbatim", "words_in"]
