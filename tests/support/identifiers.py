"""What can be no identifier, whatever way it comes in, and what can."""

IMPOSSIBLE = {
    "empty": "",
    "white space alone": " \t ",
    "wide white space alone": "\u3000\u00a0",
    "too long": "x" * 101,
    "a line end": "a\nb",
    "NUL": "a\x00",
    "DEL": "a\x7f",
    "a C1 control character": "a\x85b",
    "a line separator": "a\u2028b",
    "the first half of a surrogate pair": "a\ud800",
    "the second half of a surrogate pair": "\udc80a",
}
POSSIBLE = ["a", "x" * 100, "user_outlook_789", "ana@contoso.example", "Jürgen/7", "山田", "🙂", "a b", "ms:t:o"]
