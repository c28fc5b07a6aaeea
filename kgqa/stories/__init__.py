"""Stories read sentence by sentence into the short-term memory, and questions answered from it."""
