//! A number printed by a command.
