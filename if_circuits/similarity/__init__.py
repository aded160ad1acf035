"""How similar two sets of activations are: SVCCA, PWCCA, linear CKA and principal angles, debiased."""
