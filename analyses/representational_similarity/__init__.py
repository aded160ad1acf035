"""Do tasks share representations? Angles between directions, PWCCA and CKA, over split-half ceilings."""
