"""One implementation of each number that several stages print."""
