"""Events as answers show them: lean results, rows of lists, who was told."""
