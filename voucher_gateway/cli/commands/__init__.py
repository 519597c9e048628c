"""The commands, a module for each group of them. ``command_table`` says which function is which command."""
