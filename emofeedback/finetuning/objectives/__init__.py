"""Objectives of reward fine-tuning: what a policy is asked to do with scored pictures.

`table.py` names each objective with what it needs and its defaults; settings, the command line, the pages and the
benchmarks read it, and importing it is cheap. A file of the objective's name holds its loss, a function of tensors,
and its collector, which says what a rollout must keep and turns it into losses.

To add an objective:
1. write its file: a loss to one value per sample [B], and a class with the three methods of `collector.Collector`;
2. name it in `table.OBJECTIVES`;
3. make its collector in `collector.collector_for`.
Nothing outside this folder knows the objectives by name.
"""
