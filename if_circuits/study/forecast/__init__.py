"""What a study of a model would take on another machine: hours, bytes and money by stage, on paper.

`size` says how large a model is without its weights, `machine` what a GPU reaches, `work` what each stage
does, `forecast` what that takes.
"""
