"""How similar two sets of activations are: PWCCA, linear CKA and principal angles, debiased."""
