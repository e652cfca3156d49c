"""Distillation: a thin network learns to predict the activations of a large one, without labels.

    for line in distill(teacher, {"thin": VGG16}, recipe, pictures, out=Path("thin.pt")): ...
    report(teacher, model, held_out)                  errors of the students, layer by layer

`recipe` schedules crops and rates as a pure function of the step, `crops` cuts and alters the
pictures, `coordinates` computes the principal coordinates that are predicted, `loop` trains,
`restyle` makes pictures like those of an optimization through a student, `report` measures.
"""
