//! Things of other languages and frameworks that are not here under any name, and what to do.

/// Names of a thing elsewhere (in lower case, without `_`), and what there is instead.
pub(super) const ELSEWHERE: &[(&[&str], &str)] = &[
    // Words that begin statements.
    (
        &["for", "while", "loop", "foreach", "do"],
        "write `repeat 3 { … }`, or `repeat 3 as i { … }` to count",
    ),
    (
        &["import", "include", "use", "from", "require", "package"],
        "remove it: a file stands alone, so copy the blocks that it needs into it",
    ),
    (
        &[
            "def", "fn", "func", "function", "fun", "class", "struct", "layer", "module",
        ],
        "declare `block NAME(ARGUMENT: int) { … }` outside the model, and call it",
    ),
    (
        &["let", "const", "var", "val"],
        "declare `param NAME: int = 4` outside the model",
    ),
    (
        &["return", "yield", "output"],
        "remove it: a model gives what its last layer makes",
    ),
    (
        &["network", "net", "sequential"],
        "write `model NAME { … }`",
    ),
    // Activations.
    (
        &[
            "gelu",
            "silu",
            "swish",
            "mish",
            "softplus",
            "hardswish",
            "quickgelu",
        ],
        "it is not built in; `elu` is a smooth activation that is",
    ),
    (
        &["selu", "celu"],
        "it is not built in; `elu(alpha: 1)` is near it",
    ),
    (
        &["relu6", "hardtanh", "hardsigmoid", "threshold"],
        "it is not built in; of those with bounds there are `tanh` and `sigmoid`",
    ),
    (
        &["prelu", "rrelu"],
        "no activation has a trained slope; `leaky_relu(slope: 0.25)` has a fixed one",
    ),
    (
        &["softmax", "logsoftmax"],
        "remove it: `loss: cross_entropy` takes the logits themselves",
    ),
    (
        &["glu", "swiglu", "maxout", "softmin", "softsign"],
        "it is not built in; choose another activation, such as `relu` or `tanh`",
    ),
    // Layers.
    (
        &[
            "conv1d",
            "conv3d",
            "maxpool1d",
            "maxpool3d",
            "avgpool1d",
            "avgpool3d",
        ],
        "images have two dimensions: `conv(8, kernel: 3)`, `max_pool(kernel: 2)`",
    ),
    (
        &[
            "convtranspose2d",
            "conv2dtranspose",
            "deconv",
            "deconvolution",
            "upsample",
            "upsampling2d",
            "pixelshuffle",
            "interpolate",
            "unpool",
        ],
        "no layer makes an image larger: networks here tell classes apart",
    ),
    (
        &[
            "depthwiseconv2d",
            "separableconv2d",
            "depthwise",
            "separableconv",
        ],
        "convolutions have no groups: write `conv(out, kernel: 3)`",
    ),
    (
        &[
            "groupnorm",
            "layernorm",
            "instancenorm",
            "instancenorm2d",
            "layernormalization",
            "groupnormalization",
            "rmsnorm",
            "localresponsenorm",
            "lrn",
        ],
        "`batch_norm` is the only normalisation",
    ),
    (
        &[
            "zeropad",
            "zeropad2d",
            "zeropadding2d",
            "padding2d",
            "reflectionpad2d",
        ],
        "padding is a setting of a layer: `conv(8, kernel: 3, padding: 1)`",
    ),
    (
        &["identity", "noop", "pass", "lambda"],
        "remove it: where there is no layer, x goes on as it is",
    ),
    (
        &["lstm", "gru", "rnn", "recurrent"],
        "there are no recurrent layers: a network takes one image, not a sequence",
    ),
    (
        &[
            "attention",
            "selfattention",
            "multiheadattention",
            "transformer",
            "transformerencoder",
            "embedding",
            "positionalencoding",
        ],
        "there is no attention: a network takes one image, not a sequence of tokens",
    ),
    (
        &[
            "reshape",
            "view",
            "permute",
            "transpose",
            "squeeze",
            "unsqueeze",
        ],
        "the only change of shape is `flatten`, of an image to a vector",
    ),
    (
        &["add", "merge", "multiply", "plus"],
        "write `skip resnet { … }`, which adds x to what its body makes of it",
    ),
    (
        &[
            "dropblock",
            "droppath",
            "stochasticdepth",
            "gaussiannoise",
            "alphadropout",
        ],
        "it is not there; `dropout(0.5)` is",
    ),
    (
        &["squeezeexcitation", "seblock", "se"],
        "no layer multiplies images with one another",
    ),
    // Settings of training.
    (
        &["earlystopping", "patience", "callbacks", "monitor"],
        "remove it: a run keeps the best epoch as `checkpoints/best.safetensors`",
    ),
    (
        &["metrics", "verbose", "loginterval", "logevery"],
        "remove it: loss and accuracy are always logged; `--log-every N` is a flag",
    ),
    (
        &[
            "device",
            "gpu",
            "cuda",
            "accelerator",
            "engine",
            "precision",
            "amp",
            "fp16",
            "bf16",
        ],
        "remove it: where a run computes is said by flags, such as `--device cuda`",
    ),
    (
        &["numworkers", "workers", "threads", "pinmemory"],
        "remove it: `--threads N` is a flag",
    ),
    (
        &["shuffle"],
        "remove it: images are shuffled, unless `--order sequential` says otherwise",
    ),
    (
        &["steps", "maxsteps", "iterations", "maxiter"],
        "write `epochs: N`; `--max-steps N` is a flag",
    ),
    (
        &["validation", "validationsplit", "valsplit", "testsplit"],
        "remove it: a dataset has a training and a test split of its own",
    ),
    (
        &["pretrained", "weights", "checkpoint", "resume"],
        "remove it: `--weights FILE` and `--resume` are flags",
    ),
    (
        &["nll", "nllloss", "negativeloglikelihood"],
        "write `loss: cross_entropy`, which takes the softmax itself",
    ),
    (
        &[
            "clip",
            "gradclip",
            "clipnorm",
            "gradientclipping",
            "clipgradnorm",
        ],
        "gradients are not clipped; a smaller rate keeps a training from diverging",
    ),
    (
        &["ema", "swa", "mixup", "cutmix", "labelsmoothing"],
        "remove it: it is not there",
    ),
    (
        &[
            "onecycle",
            "onecyclelr",
            "linearwarmup",
            "warmup",
            "warmupepochs",
        ],
        "write `schedule: cosine(warmup: 5)`, whose rate rises, then falls",
    ),
    (
        &[
            "exponential",
            "exponentiallr",
            "plateau",
            "reducelronplateau",
            "polynomial",
            "polylr",
        ],
        "write `schedule: step(at: [10, 20], factor: 0.1)` or `schedule: cosine`",
    ),
    (
        &[
            "imagenet",
            "svhn",
            "tinyimagenet",
            "stl10",
            "imagefolder",
            "emnist",
            "kmnist",
        ],
        "arrange it as `train/CLASS/*.png` and `test/CLASS/*.png`, and write `data: folder`",
    ),
];
