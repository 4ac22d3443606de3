"""Tools for data, runs and scores: `python -m exploration SUBCOMMAND`, one module per subcommand.

channels: what the commands that read a channel share. demo: draws a data set; portrait draws one face, demo_flaws
plants flaws. report: writes a page about the data, from data_report. embed: features of images. noise: labels that
are probably wrong; fold_training trains the folds that it uses. audit: how many labels are wrong. review: a page on
which people review labels. export: corrected labels as files. crop: crops images to their subject. stitch: one image
of several files of channels. runs: lists trainings; run_records reads them, runs_table formats them. scores: prints
an evaluation. contact_sheet, heat_maps: images for notebooks.

near_duplicates finds copies of images by image_signatures, image_alignment and duplicate_check; altered_copies makes
copies to find. image_statistics: size, light, blur and oddities. image_pass reads the images for both.

Tested by files of other names:
    altered_copies, duplicate_check, image_signatures: tests/exploration/test_near_duplicates.py
    __main__: tests/exploration/test_main.py
    run_records: tests/exploration/test_runs.py
"""
