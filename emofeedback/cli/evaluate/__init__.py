"""`evaluate SUBJECT`: one part measured, a module a subject."""
