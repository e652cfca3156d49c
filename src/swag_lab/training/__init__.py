"""Training the bundled backbones: labeled pictures in, weights and a log out.

    for progress in train_backbone("resnet", data, out, epochs=16): ...     # from files
    for progress in train(architecture, recipe, sources, out=out): ...      # from tensors
    export(out, "resnet", folder)                                           # the file to ship

`data` reads labeled pictures, `recipe` schedules crops and rates, `batches` cuts the crops, `loop`
trains, `checkpoint` keeps what a training needs to resume, `start` begins with trained weights,
`command` finds the files, `export` makes the weights that are shipped.
"""
