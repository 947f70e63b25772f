//! The size of a container image.
