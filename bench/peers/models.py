"""Random models of the compared shapes, written once by transformers for every engine to read."""
import os

MODELS = {
    "gpt2": ("GPT2Config", dict()),
    "smollm2-135m": ("LlamaConfig", dict(
        vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
        num_attention_heads=9, num_key_value_heads=3, max_position_embeddings=8192,
        rope_theta=100000.0, rms_norm_eps=1e-5, tie_word_embeddings=True)),
    "qwen2-0.5b": ("Qwen2Config", dict(
        vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
        num_attention_heads=14, num_key_value_heads=2, max_position_embeddings=32768,
        rope_theta=1000000.0, rms_norm_eps=1e-6, tie_word_embeddings=True)),
}
# The cells that are compared when none are named: batches, lengths.
CELLS = {"gpt2": ("1,4,16", "32,128,512")}
OTHER_CELLS = ("1,4", "128,512")


def make_model(name, folder, shapes=None, dtype="float32"):
    """Made where it is not there yet. `shapes`: instead of MODELS."""
    path = os.path.join(folder, name)
    if os.path.exists(os.path.join(path, "config.json")):
        return path
    import torch
    import transformers
    kind, facts = (shapes or MODELS)[name]
    torch.manual_seed(1)
    config = getattr(transformers, kind)(**facts)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=getattr(torch, dtype))
    model.save_pretrained(path)
    return path


def cells_of(name, batches, lengths):
    """(batch, length) pairs, by the words given or the model's own."""
    own = CELLS.get(name, OTHER_CELLS)
    return [(int(batch), int(length)) for batch in (batches or own[0]).split(",")
            for length in (lengths or own[1]).split(",")]
