"""Distillation: a thin network learns to predict the activations of a large one, without labels.

    for line in distill(teacher, {"thin": VGG16}, recipe, pictures, out=Path("thin.pt")): ...
    report(teacher, model, held_out)                  what the students get wrong, layer by layer

`recipe` says what is shown when and is a pure function of the step, `crops` cuts and alters the
pictures, `coordinates` finds the principal coordinates that are predicted, `loop` trains,
`restyle` makes the pictures that a student meets when it is optimized through, `report` measures.
"""
