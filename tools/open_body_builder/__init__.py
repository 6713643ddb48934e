"""The builder of the open body: from MakeHuman's CC0 data to arrays in SMPL+H layout.

A maintainer runs it once in a while (`python -m tools.build_open_body`); users read its result with
`movi_prep.demo.open_body`. In the order of the work:

    makehuman     the CC0 data as it lies in the wheel, and the mixing of phenotypes
    skeleton      the 52 joints of SMPL+H, found among MakeHuman's bones
    t_pose        the T-pose and the proportions of a mean person
    landmarks     where each marker sits on the body
    remeshing     a vertex for each marker, and 6890 vertices in all
    shape_space   mean shape, shape directions, joint regressor
    regions       what each face of the mesh wears
"""
