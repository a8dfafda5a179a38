# Making nssbg-lite, apart from the package's own targets: environment, tests, data, run, export.
# Pictures are looked for beside the repository (NSSBG_PICTURES); everything made goes to
# NSSBG_TRAINING_WORK, by default build/training.
TRAINING_VENV ?= .venv-training
TRAINING_PYTHON = $(TRAINING_VENV)/bin/python
# One thread a process: the run itself takes one process a core.
TRAINING_RUN = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(TRAINING_PYTHON)

.PHONY: train-env test-training training-data train train-resume train-further train-evaluate \
        train-export train-choice

$(TRAINING_VENV)/.ready: training/requirements.txt
	$(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_PYTHON) -m pip install -q -r training/requirements.txt
	@touch $@

train-env: $(TRAINING_VENV)/.ready

test-training: train-env
	$(TRAINING_RUN) -m pytest -q training/tests

training-data: train-env
	$(TRAINING_PYTHON) training/prepare.py
	$(TRAINING_RUN) training/procedural.py
	$(TRAINING_RUN) training/render.py

# From the pictures to the file in the package, with one command.
train: training-data
	$(TRAINING_RUN) training/train.py
	$(MAKE) train-export train-evaluate

train-resume: train-env
	$(TRAINING_RUN) training/train.py --resume

# Where no checkpoint is left: one is made out of the shipped file, and the run goes on from there.
train-further: train-env
	$(TRAINING_RUN) training/warm_start.py
	$(TRAINING_RUN) training/train.py --resume --recipe training/recipe-further.toml

# The weights of the confidence and of model="auto" for the exported file (the package installed).
train-choice: train-env
	$(TRAINING_PYTHON) -m pip install -q .
	$(TRAINING_PYTHON) training/calibrate.py --model python/nssbg/_models/bundled/nssbg-lite.onnx
	$(TRAINING_PYTHON) training/choose.py --model python/nssbg/_models/bundled/nssbg-lite.onnx

train-export: train-env
	$(TRAINING_PYTHON) training/export.py

train-evaluate: train-env
	$(TRAINING_PYTHON) training/evaluate.py --model python/nssbg/_models/bundled/nssbg-lite.onnx
