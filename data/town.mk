# The town: the world of the whole recipe (world/town.c), and its base model, bigger than the clock's.
#
#   run/town/train.jsonl heldout.jsonl          problems of all domains whose answers a rule can compare, disjoint by hash
#            open.jsonl                         problems with answers in words, for a judge
#            general.jsonl general-heldout.jsonl        questions of other kinds
#   data/town.tar.zst                           the base model that ships with r1; `make town` makes it again from nothing
#
# knob           default       meaning
TOWN          ?= run/town#     folder of the problems
TOWN_TRAIN    ?= 3000#         problems to train on, of each domain
TOWN_HELDOUT  ?= 100#          problems to evaluate on, of each domain
TOWN_BASE     ?= run/town-base#        folder to make the base model in
TOWN_TEXTS    ?= 800000#       documents to pretrain on
TOWN_LR       ?= 3e-3#         peak learning rate
TOWN_DOMAINS  := clock choice logic code

# $(call town_problems,COUNT,OPTIONS): of each domain so many, dealt out in turn, so that the first n hold as many of each
town_problems = $(foreach d,$(TOWN_DOMAINS),$(CLOCKWORK) problems --world town --domain $d --count $1 $2 -o $@.$d &&) \
	  paste -d '\n' $(TOWN_DOMAINS:%=$@.%) > $@.tmp && rm $(TOWN_DOMAINS:%=$@.%) && mv $@.tmp $@
$(TOWN)/train.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	@$(call town_problems,$(TOWN_TRAIN),)
$(TOWN)/heldout.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	@$(call town_problems,$(TOWN_HELDOUT),--held-out)

$(TOWN)/open.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	$(CLOCKWORK) problems --world town --domain open --count 300 -o $@

# There are fewer of these: about 1,100 and 750 in all, of which a sixteenth is held out
general_problems = for d in talk howto; do $(CLOCKWORK) problems --world town --domain $$d --count $1 $2 -o $@.$$d || exit; done; \
	  paste -d '\n' $@.talk $@.howto > $@.tmp && rm $@.talk $@.howto && mv $@.tmp $@
$(TOWN)/general.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	@$(call general_problems,600,)
$(TOWN)/general-heldout.jsonl: | $(CLOCKWORK)
	@mkdir -p $(@D)
	@$(call general_problems,40,--held-out)

$(eval $(call base_begin,$(TOWN_BASE),--world town ,data/town.json,$(TOWN_TEXTS)))
$(TOWN_BASE)/model.jsonl: $(TOWN_BASE)/init/config.json $(TOWN_BASE)/text.jsonl.gz | $(BIN)/r1-distill
	$(call base_pretrain,$(TOWN_BASE)/init,$(TOWN_BASE)/model,$(TOWN_LR),100,$(TOWN_BASE)/text.jsonl.gz)

town: $(TOWN_BASE)/model.jsonl ## make the town's base model again from nothing, and compare it with data/town.tar.zst
	$(BIN)/r1-model pack --no-optimizer $(TOWN_BASE)/model -o $(TOWN_BASE)/town.tar.zst
	@cmp $(TOWN_BASE)/town.tar.zst data/town.tar.zst && echo "data/town.tar.zst: the same bytes"

.PHONY: town
