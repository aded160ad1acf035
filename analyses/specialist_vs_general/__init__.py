"""Does a probe for one task beat one probe for all?"""
