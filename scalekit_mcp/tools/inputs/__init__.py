"""Values as people and models write them: texts, lists, people, places, recurrences."""
