"""Where can a task be read: the question that a script asks first, outside of any study."""
