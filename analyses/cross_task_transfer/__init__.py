"""Does one task's probe read another task?"""
