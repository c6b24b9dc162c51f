//! Tests of the checker: shapes, names, scopes, settings and limits.

use std::time::{Duration, Instant};
use vanc::check::{Override, OverrideTarget, check};
use vanc::diag::{Code, Diagnostic, Sources};
use vanc::ir::expr::Variable;
use vanc::ir::{
    Augment, DatasetKind, Every, Granularity, Layer, Model, Mover, Op, Optimizer, Role, Schedule,
    Shape, Shortcut, Skip,
};

fn run(text: &str, flags: &[(&str, &str)]) -> Result<Model, Vec<Diagnostic>> {
    let settings = [
        "data",
        "optimizer",
        "schedule",
        "epochs",
        "batch",
        "rate",
        "seed",
    ];
    let flags = flags.iter().map(|(name, value)| Override {
        target: match settings.contains(name) {
            true => OverrideTarget::Setting,
            false => OverrideTarget::Param,
        },
        name: name.to_string(),
        value: value.to_string(),
    });
    check(
        &mut Sources::new("test.van", text),
        &flags.collect::<Vec<_>>(),
        false,
    )
}

fn sound(text: &str) -> Model {
    run(text, &[]).unwrap_or_else(|e| panic!("{text}\n{e:#?}"))
}

/// Codes of the mistakes in `text`.
fn wrong(text: &str) -> Vec<Code> {
    let mistakes = run(text, &[]).expect_err(text);
    mistakes.iter().map(|mistake| mistake.code).collect()
}

fn model(body: &str) -> String {
    format!("model m {{\ninput image(3, 32, 32)\n{body}\n}}\n")
}

fn layers(model: &Model) -> Vec<&Layer> {
    let mut layers = Vec::new();
    model.walk(&mut |layer| layers.push(layer));
    layers
}

fn paths(text: &str) -> Vec<String> {
    let model = sound(text);
    layers(&model)
        .iter()
        .map(|layer| layer.path.clone())
        .collect()
}

fn output(body: &str) -> Shape {
    sound(&model(body)).output
}

fn tensors(text: &str) -> Vec<String> {
    let specs = sound(text).tensors();
    let line = |spec: &vanc::ir::TensorSpec| format!("{} {:?}", spec.name, spec.shape);
    specs.iter().map(line).collect()
}

// Shapes.

/// Number of windows of a convolution or a pool, counted one by one.
fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> usize {
    let starts = (0..size + 2 * padding).step_by(stride);
    starts
        .filter(|start| start + kernel <= size + 2 * padding)
        .count()
}

#[test]
fn convolutions_and_pools_make_one_position_a_window() {
    for (height, width) in [(1, 1), (5, 7), (8, 3), (11, 12)] {
        for kernel in 1..=6 {
            for stride in 1..=4 {
                for padding in 0..=3 {
                    let (h, w) = (
                        windows(height, kernel, stride, padding),
                        windows(width, kernel, stride, padding),
                    );
                    let text = |layer: String| {
                        format!("model m {{ input image(2, {height}, {width}) {layer} }}")
                    };
                    let conv = text(format!(
                        "conv(5, kernel: {kernel}, stride: {stride}, padding: {padding})"
                    ));
                    if h > 0 && w > 0 {
                        assert_eq!(sound(&conv).output, Shape::image(5, h, w), "{conv}");
                    } else {
                        assert_eq!(wrong(&conv), [Code::Shape], "{conv}");
                    }
                    let pool = text(format!("max_pool(kernel: {kernel}, stride: {stride})"));
                    match (
                        windows(height, kernel, stride, 0),
                        windows(width, kernel, stride, 0),
                    ) {
                        (0, _) | (_, 0) => assert_eq!(wrong(&pool), [Code::Shape], "{pool}"),
                        (h, w) => assert_eq!(sound(&pool).output, Shape::image(2, h, w), "{pool}"),
                    }
                }
            }
        }
    }
}

#[test]
fn layers_make_what_the_language_says() {
    assert_eq!(output("conv(8, kernel: 5)"), Shape::image(8, 32, 32));
    assert_eq!(
        output("conv(8, kernel: 3, stride: 2)"),
        Shape::image(8, 16, 16)
    );
    assert_eq!(output("avg_pool(kernel: 2)"), Shape::image(3, 16, 16));
    assert_eq!(
        output("max_pool(kernel: 3, stride: 2)"),
        Shape::image(3, 15, 15)
    );
    assert_eq!(output("crelu"), Shape::image(6, 32, 32));
    assert_eq!(output("flatten"), Shape::Flat(3072));
    assert_eq!(output("flatten flatten crelu"), Shape::Flat(6144));
    assert_eq!(
        output("global_avg_pool batch_norm relu dropout(0.5)"),
        Shape::Flat(3)
    );
    assert_eq!(output("linear(7)"), Shape::Flat(7));
    assert_eq!(
        output("concat { conv(8, kernel: 3) }"),
        Shape::image(11, 32, 32)
    );
    assert_eq!(output("flatten concat { linear(28) }"), Shape::Flat(3100));
    assert_eq!(output("concat {}"), Shape::image(6, 32, 32));
    assert_eq!(output("repeat 0 { flatten }"), Shape::image(3, 32, 32));
    assert_eq!(output(""), Shape::image(3, 32, 32));
}

fn shortcut(body: &str) -> Shortcut {
    let made = sound(&model(&format!("{body}\nrelu")));
    let op = &made.layers[made.layers.len() - 2].op;
    let Op::Skip(skip) = op else {
        panic!("no skip: {op:?}")
    };
    skip.shortcut.clone()
}

#[test]
fn shortcuts_fit_x_to_the_body() {
    let conv = |stride| Shortcut::Conv1x1 { stride };
    assert_eq!(shortcut("skip resnet { relu }"), Shortcut::Identity);
    assert_eq!(shortcut("skip resnet { conv(8, kernel: 3) }"), conv(1));
    assert_eq!(
        shortcut("skip resnet { conv(3, kernel: 3, stride: 2) }"),
        conv(2)
    );
    assert_eq!(
        shortcut("skip resnet { max_pool(kernel: 2) conv(9, kernel: 3, stride: 2) }"),
        conv(4)
    );
    assert_eq!(
        shortcut("skip resnet project: pad { conv(8, kernel: 1, stride: 3) }"),
        Shortcut::Pad { stride: 3 }
    );
    assert_eq!(
        shortcut("skip plain { conv(8, kernel: 3, stride: 2) }"),
        Shortcut::Identity
    );
    assert_eq!(
        shortcut("skip dirac { conv(8, kernel: 3, stride: 2) }"),
        Shortcut::Identity
    );
    assert_eq!(shortcut("flatten skip resnet { linear(9) }"), conv(1));
    assert_eq!(
        shortcut("flatten skip resnet project: pad { linear(9999) }"),
        Shortcut::Pad { stride: 1 }
    );
    // A body that loses positions at its edges has no stride of its own that fits, but
    // there may be one: every fifth of 32 positions are 7.
    assert_eq!(
        shortcut("skip resnet { conv(3, kernel: 26, padding: 0) }"),
        conv(5)
    );
    // Both sides have to fit.
    let uneven = "model m { input image(1, 8, 4) skip resnet { conv(1, kernel: 3, padding: 0) } }";
    assert_eq!(wrong(uneven), [Code::Shape]);
    assert_eq!(
        wrong(&model("skip resnet project: none { conv(8, kernel: 3) }")),
        [Code::Shape]
    );
    assert!(
        run(
            &model("skip plain project: none { conv(8, kernel: 3) }"),
            &[]
        )
        .is_ok()
    );
}

// Names.

#[test]
fn layers_are_named_by_kind_and_place() {
    let text = model(
        "conv(4, kernel: 3)
         stem: conv(4, kernel: 3)
         conv(4, kernel: 3)
         skip resnet { conv(4, kernel: 3) skip plain { relu } }
         skip resnet { relu }
         stage: repeat 2 { relu relu }
         repeat 1 as i { concat { relu } }
         repeat 1 { relu }",
    );
    assert_eq!(
        paths(&text),
        [
            "conv0",
            "stem",
            "conv2",
            "skip0",
            "skip0.conv0",
            "skip0.skip0",
            "skip0.skip0.relu0",
            "skip1",
            "skip1.relu0",
            "stage.0.relu0",
            "stage.0.relu1",
            "stage.1.relu0",
            "stage.1.relu1",
            "repeat1.0.concat0",
            "repeat1.0.concat0.relu0",
            "repeat2.0.relu0",
        ]
    );
}

#[test]
fn a_block_adds_to_the_path_only_with_a_label() {
    let text = format!(
        "block b {{ relu tanh }}\n{}",
        model("b relu x: b repeat 1 { b }")
    );
    assert_eq!(
        paths(&text),
        [
            "relu0",
            "tanh0",
            "relu1",
            "x.relu0",
            "x.tanh0",
            "repeat0.0.relu0",
            "repeat0.0.tanh0"
        ]
    );
    let twice = format!("block b {{ a: relu }}\n{}", model("b b"));
    assert_eq!(wrong(&twice), [Code::Name]);
    sound(&format!("block b {{ a: relu }}\n{}", model("x: b y: b b")));
}

#[test]
fn tensors_are_named_and_shaped_as_in_pytorch() {
    let text = model(
        "stage2: repeat 1 {
             skip variable { conv(4, kernel: 3, stride: 2, bias: true) batch_norm }
         }
         skip highway { conv(4, kernel: 5) }
         skip dirac { conv(6, kernel: 3) }
         global_avg_pool
         skip highway(bias: -1) { linear(4) }
         skip dirac { linear(6) }
         fc: linear(10, bias: false)",
    );
    assert_eq!(
        tensors(&text),
        [
            "stage2.0.skip0.conv0.weight [4, 3, 3, 3]",
            "stage2.0.skip0.conv0.bias [4]",
            "stage2.0.skip0.batch_norm0.weight [4]",
            "stage2.0.skip0.batch_norm0.bias [4]",
            "stage2.0.skip0.batch_norm0.running_mean [4]",
            "stage2.0.skip0.batch_norm0.running_var [4]",
            "stage2.0.skip0.project.weight [4, 3, 1, 1]",
            "stage2.0.skip0.alpha [4]",
            "stage2.0.skip0.lambda [4]",
            "skip0.conv0.weight [4, 4, 5, 5]",
            "skip0.gate.weight [4, 4, 5, 5]",
            "skip0.gate.bias [4]",
            "skip1.conv0.weight [6, 4, 3, 3]",
            "skip1.conv0.dirac_a [6]",
            "skip1.conv0.dirac_b [6]",
            "skip2.linear0.weight [4, 6]",
            "skip2.linear0.bias [4]",
            "skip2.project.weight [4, 6]",
            "skip2.gate.weight [4, 6]",
            "skip2.gate.bias [4]",
            "skip3.linear0.weight [6, 4]",
            "skip3.linear0.dirac_a [6]",
            "skip3.linear0.dirac_b [6]",
            "skip3.linear0.bias [6]",
            "fc.weight [10, 6]",
        ]
    );
    let roles: Vec<Role> = sound(&text)
        .tensors()
        .iter()
        .map(|spec| spec.role)
        .collect();
    assert!(roles.contains(&Role::Alpha) && roles.contains(&Role::Multiplier));
}

#[test]
fn granularity_shapes_alpha() {
    let alpha = |granularity: &str| {
        let text = format!(
            "{}train {{ constraint: lagrange(alpha_granularity: {granularity}) }}",
            model("skip variable { conv(8, kernel: 3, stride: 2) } linear(10)")
        );
        let model = sound(&text);
        let found = model
            .tensors()
            .into_iter()
            .find(|spec| spec.role == Role::Alpha);
        found.expect("an alpha").shape
    };
    assert_eq!(alpha("channel"), [8]);
    assert_eq!(alpha("layer"), [1]);
    assert_eq!(alpha("unit"), [8, 16, 16]);
}

#[test]
fn dirac_reaches_into_inner_scopes_but_not_to_projections() {
    let text = model("skip dirac { skip resnet { conv(4, kernel: 3) } x: repeat 1 { linear(3) } }");
    let names = tensors(&text).join("\n");
    assert!(
        names.contains("skip0.skip0.conv0.dirac_a") && names.contains("skip0.x.0.linear0.dirac_b")
    );
    assert!(!names.contains("project.dirac"));
}

// Expressions and scopes.

/// Number of channels of `conv(EXPR, kernel: 1)`.
fn value(expr: &str) -> usize {
    output(&format!("conv({expr}, kernel: 1)")).channels()
}

#[test]
fn expressions_have_their_values() {
    assert_eq!(value("1 + 2 * 3 ^ 2"), 19);
    assert_eq!(value("2 ^ 3 ^ 0"), 2);
    assert_eq!(value("10 - 4 - 3"), 3);
    assert_eq!(value("12 / 4 * 3"), 9);
    assert_eq!(value("-7 % 5"), 2.max((-7i64).rem_euclid(5)) as usize);
    assert_eq!(value("min(7, 3, 5) + max(1, 2)"), 5);
    assert_eq!(value("floor(7 / 2.0) + ceil(7 / 2.0)"), 7);
    assert_eq!(value("floor(2.5)"), 2);
    assert_eq!(value("if 1 < 2 and not (3 == 4) { 5 } else { 6 }"), 5);
    assert_eq!(value("if false or 1.5 >= 2 { 5 } else { 6 }"), 6);
    assert_eq!(value("1_000"), 1000);
    assert_eq!(value("if resnet == resnet(scale: 1) { 2 } else { 3 }"), 2);
    assert_eq!(
        value("if variable == variable(lambda: 0) { 2 } else { 3 }"),
        3
    );
}

#[test]
fn what_follows_and_or_is_read_only_where_it_counts() {
    assert_eq!(value("if 0 > 1 and 1 / 0 == 1 { 2 } else { 3 }"), 3);
    assert_eq!(value("if 1 > 0 or 1 / 0 == 1 { 2 } else { 3 }"), 2);
    assert_eq!(
        wrong(&model(
            "conv(if 1 > 0 and 1 / 0 == 1 { 2 } else { 3 }, kernel: 1)"
        )),
        [Code::Value]
    );
    assert_eq!(value("if true { 2 } else { 1 / 0 }"), 2);
}

#[test]
fn only_int_widens_and_only_to_float() {
    let is_sound = |param: &str, body: &str| run(&format!("{param}\n{}", model(body)), &[]).is_ok();
    assert!(is_sound("param p: float = 0", "dropout(p)"));
    assert!(is_sound("param p: float = 1 / 2.0 in 0..1", "dropout(p)"));
    assert!(!is_sound("param p: int = 1.0", "relu"));
    assert!(!is_sound("param p: int = 6 / 4", "relu"));
    assert!(!is_sound("param p: bool = 1", "relu"));
    assert!(!is_sound("param p: float = true", "relu"));
    assert!(!is_sound("param p: skip = 1", "relu"));
    assert!(!is_sound("param p: float = 3", "conv(p, kernel: 1)"));
    assert!(!is_sound(
        "param p: int = if true { 1 } else { 2.0 }",
        "relu"
    ));
    // The branches of an `if` have the wider type: 1 / 2 is a half here.
    assert!(is_sound(
        "param p: float = (if true { 1 } else { 0.5 }) / 2",
        "dropout(p)"
    ));
}

#[test]
fn ranges_take_every_form() {
    let within = |range: &str, n: i64| {
        run(
            &format!("param n: int = {n} in {range}\n{}", model("relu")),
            &[],
        )
        .is_ok()
    };
    for (range, inside, outside) in [
        ("1..=4", vec![1, 4], vec![0, 5]),
        ("1..4", vec![1, 3], vec![0, 4]),
        ("1..", vec![1, 1 << 40], vec![0]),
        ("..4", vec![-5, 3], vec![4]),
        ("..=4", vec![-5, 4], vec![5]),
        ("..", vec![-5, 5], vec![]),
        ("2 * 2..=2 ^ 3", vec![4, 8], vec![3, 9]),
    ] {
        inside
            .iter()
            .for_each(|&n| assert!(within(range, n), "{n} in {range}"));
        outside
            .iter()
            .for_each(|&n| assert!(!within(range, n), "{n} in {range}"));
    }
    let bounded = "param most: int = 4\nparam n: int = 4 in 1..=most\n";
    assert!(
        run(
            &format!("{bounded}{}", model("relu")),
            &[("most", "8"), ("n", "8")]
        )
        .is_ok()
    );
    assert!(run(&format!("{bounded}{}", model("relu")), &[("n", "8")]).is_err());
}

#[test]
fn blocks_see_params_and_their_own_arguments_only() {
    let file = |block: &str, body: &str| {
        format!(
            "param p: int = 5\nblock b(a: int, c: int = p + 1) {{ {block} }}\n{}",
            model(body)
        )
    };
    assert_eq!(
        sound(&file("conv(a * p + c, kernel: 1)", "b(2)"))
            .output
            .channels(),
        16
    );
    assert_eq!(
        sound(&file(
            "conv(a + c, kernel: 1)",
            "repeat 3 as i { b(i + 1, c: 2) }"
        ))
        .output
        .channels(),
        5
    );
    assert_eq!(
        wrong(&file("conv(i, kernel: 1)", "repeat 3 as i { b(1) }")),
        [Code::Name]
    );
    // An argument hides the param of its name, and only inside.
    let hides = format!(
        "param p: int = 5\nblock b(p: int) {{ conv(p, kernel: 1) }}\n{}",
        model("b(2) conv(p, kernel: 1)")
    );
    let made = sound(&hides);
    assert_eq!(
        layers(&made)
            .iter()
            .map(|l| l.output.channels())
            .collect::<Vec<_>>(),
        [2, 5]
    );
    // Blocks that nothing calls are checked as well.
    assert_eq!(
        wrong(&file("conv(x, kernel: 1.5)", "relu")),
        [Code::Name, Code::Type]
    );
}

#[test]
fn params_may_be_declared_in_any_order() {
    let text = format!(
        "{}param a: int = b * 2\nparam b: int = 3\n",
        model("conv(a, kernel: 1)")
    );
    assert_eq!(sound(&text).output.channels(), 6);
    assert_eq!(
        run(&text, &[("b", "4")]).expect("sound").output.channels(),
        8
    );
}

// Policies and flags.

fn policy(flags: &[(&str, &str)]) -> Skip {
    let text = format!(
        "param policy: skip = variable\n{}",
        model("skip policy { relu }")
    );
    let made = run(&text, flags).expect("sound");
    let op = &made.layers[0].op;
    let Op::Skip(skip) = op else {
        panic!("no skip: {op:?}")
    };
    skip.clone()
}

/// The output of a policy with one gate g or one coefficient a.
fn out(skip: &Skip) -> String {
    let name = |variable| match variable {
        Variable::Element => "x".to_string(),
        Variable::Body => "f".to_string(),
        Variable::Shortcut => "s".to_string(),
        Variable::Gate(_) => "g".to_string(),
        Variable::Trained(_) => "a".to_string(),
    };
    skip.policy.out.equation(name).to_string()
}

#[test]
fn policies_come_from_flags() {
    let is_variable = |flag: Option<&str>, equation, enforced| {
        let flags: Vec<(&str, &str)> = flag.into_iter().map(|flag| ("policy", flag)).collect();
        let skip = policy(&flags);
        assert_eq!(out(&skip), equation);
        let [alpha] = &skip.policy.trained[..] else {
            panic!("one coefficient: {skip:?}");
        };
        let is_enforced = matches!(alpha.mover, Mover::Constraint { held, .. } if held.enforced);
        assert_eq!((&*alpha.name, is_enforced), ("alpha", enforced));
        assert_eq!(skip.coefficients, [vec![3]]);
    };
    let (additive, convex) = ("f + (1 - a) * s", "s + a * (f - s)");
    is_variable(None, additive, true);
    is_variable(Some("variable(lambda: 0)"), additive, false);
    is_variable(Some("variable(form: convex)"), convex, true);
    is_variable(
        Some("variable(form: additive, lambda: 0.0)"),
        additive,
        false,
    );
    let of_flag = |flag: &str| policy(&[("policy", flag)]);
    assert_eq!(out(&of_flag("resnet")), "f + s");
    assert_eq!(out(&of_flag("resnet(scale: 0.5)")), "0.5 * f + 0.5 * s");
    assert_eq!(of_flag("plain").policy.to_string(), "plain");
    assert_eq!(out(&of_flag("plain")), "f");
    let dirac = of_flag("dirac");
    assert_eq!(dirac.policy.to_string(), "dirac");
    assert!(dirac.policy.dirac_weights);
    for (flag, bias) in [
        ("highway", -2.0),
        ("if 1 > 2 { plain } else { highway(bias: 1) }", 1.0),
    ] {
        let highway = of_flag(flag);
        assert_eq!(out(&highway), "s + sigmoid(g) * (f - s)");
        assert_eq!(highway.policy.gates[0].bias, bias);
    }
    let text = format!(
        "param policy: skip = variable\n{}",
        model("skip policy { relu }")
    );
    assert_eq!(
        run(&text, &[("policy", "variable(lambda: 0)")])
            .expect("sound")
            .params[0]
            .value,
        "variable(lambda: 0)"
    );
    // The last of two flags counts.
    let last = policy(&[("policy", "plain"), ("policy", "dirac")]);
    assert_eq!(last.policy.to_string(), "dirac");
}

// Training settings.

fn trained(settings: &str, flags: &[(&str, &str)]) -> vanc::ir::Train {
    let text = format!(
        "param n: int = 3\n{}train {{ {settings} }}",
        model("linear(10)")
    );
    run(&text, flags)
        .unwrap_or_else(|e| panic!("{settings}\n{e:#?}"))
        .train
}

#[test]
fn settings_have_defaults_and_flags_over_them() {
    let plain = trained("", &[]);
    let rates = plain.constraint.rates();
    let mut default = vanc::ir::Train::default();
    default.constraint = default.constraint.with_rates(rates);
    assert_eq!(plain, default);
    // Half of 10 epochs of 32 steps at 0.1.
    let turn = std::f64::consts::FRAC_PI_2 / 16.0;
    assert!((rates.alpha_rate - turn / 0.1).abs() < 1e-9, "{rates:?}");
    assert!((rates.lambda_rate - turn * 0.1).abs() < 1e-9, "{rates:?}");
    assert_eq!(sound(&model("relu")).train, plain);
    let train = trained(
        "data: cifar10(augment: [pad_crop(4), flip_horizontal]) epochs: n * 2 batch: 64
         optimizer: sgd(rate: 0.2, weight_decay: 0.0001, nesterov: true) seed: 7
         constraint: lagrange(alpha: 0.5, every: epoch) init: orthogonal",
        &[
            ("epochs", "2"),
            ("rate", "0.3"),
            ("data", "synthetic(train: 100)"),
        ],
    );
    assert_eq!((train.epochs, train.batch, train.seed), (2, 64, 7));
    let Optimizer::Sgd(sgd) = train.optimizer;
    assert_eq!((train.optimizer.rate(), sgd.momentum), (0.3, 0.9));
    assert!(
        matches!(train.data.kind, DatasetKind::Synthetic(s) if s.train == 100 && s.test == 1000)
    );
    assert_eq!(
        train.data.augment,
        [Augment::PadCrop(4), Augment::FlipHorizontal]
    );
    assert_eq!(
        (train.constraint.alpha, train.constraint.lambda),
        (0.5, 0.0)
    );
    let given = trained("constraint: lagrange(alpha_rate: 2, lambda_rate: 3)", &[]).constraint;
    assert_eq!((given.lambda, given.rates().lambda_rate), (-1.0, 3.0));
    assert_eq!(train.constraint.every, Every::Epoch);
    assert_eq!(trained("", &[]).constraint.every, Every::Step);
    assert_eq!(
        trained("constraint: lagrange(alpha_granularity: unit)", &[])
            .constraint
            .alpha_granularity,
        Granularity::Unit
    );
    // `--rate` holds whatever the order, and is no setting of the file.
    let flags = [("rate", "0.4"), ("optimizer", "sgd(rate: 1, momentum: 0)")];
    assert_eq!(trained("", &flags).optimizer.rate(), 0.4);
    assert_eq!(
        wrong(&format!("{}train {{ rate: 0.1 }}", model("linear(10)"))),
        [Code::Name]
    );
}

#[test]
fn schedules_take_every_form() {
    assert_eq!(
        trained("schedule: constant", &[]).schedule,
        Schedule::Constant
    );
    assert_eq!(
        trained("schedule: cosine", &[]).schedule,
        Schedule::Cosine { warmup: 0.0 }
    );
    assert_eq!(
        trained("schedule: cosine(warmup: 5)", &[]).schedule,
        Schedule::Cosine { warmup: 5.0 }
    );
    let step = |at: &[usize], factor| Schedule::Step {
        at: at.to_vec(),
        factor,
    };
    assert_eq!(
        trained("schedule: step(at: [82, 125])", &[]).schedule,
        step(&[82, 125], 0.1)
    );
    assert_eq!(
        trained("schedule: step(at: [n, 2 * n,], factor: 0.5)", &[]).schedule,
        step(&[3, 6], 0.5)
    );
    assert_eq!(
        trained("", &[("schedule", "step(at: [])")]).schedule,
        step(&[], 0.1)
    );
}

#[test]
fn a_file_without_train_is_sound_as_long_as_it_is_not_trained() {
    let text = model("relu");
    sound(&text);
    let mut sources = Sources::new("test.van", text.as_str());
    let mistakes = check(&mut sources, &[], true).expect_err("an image is no logits");
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].code, Code::Train);
    sound(&format!("train {{}}\n{}", model("linear(10)")));
}

// Limits.

fn refused_at_once(text: &str) {
    let start = Instant::now();
    let codes = wrong(text);
    let took = start.elapsed();
    assert!(codes.contains(&Code::Limit), "{codes:?}: {text:.200}");
    assert!(took < Duration::from_secs(3), "{took:?}: {text:.200}");
}

#[test]
fn too_much_is_refused_at_once() {
    refused_at_once(&model("repeat 1000000000 { relu }"));
    refused_at_once(&model("repeat 1000000000 {}"));
    refused_at_once(&model("repeat 100001 {}"));
    refused_at_once(&model("repeat 10000 { repeat 10000 { repeat 10000 {} } }"));
    refused_at_once(&model("repeat 1000 { repeat 1000 { relu } }"));
    refused_at_once(&model(&format!(
        "{}relu{}",
        "repeat 2 { ".repeat(60),
        "}".repeat(60)
    )));
    let doubling = |leaf: &str| {
        let blocks = (1..60).map(|i| format!("block b{i} {{ b{0} b{0} }}\n", i - 1));
        format!(
            "block b0 {{ {leaf} }}\n{}{}",
            blocks.collect::<String>(),
            model("b59")
        )
    };
    refused_at_once(&doubling("relu"));
    refused_at_once(&doubling(""));
    refused_at_once(&model(&"crelu ".repeat(40)));
    refused_at_once(&model("conv(2147483648, kernel: 1)"));
    refused_at_once(&model("conv(9, kernel: 99999)"));
    refused_at_once(&model("linear(1000000)"));
    refused_at_once(&model(
        "skip resnet { conv(8, kernel: 1) conv(40000, kernel: 1) conv(99999, kernel: 1) }",
    ));
    refused_at_once("model m { input image(65536, 65536, 1) }");
    refused_at_once(&model(&format!("conv({}1, kernel: 1)", "1 + ".repeat(200))));
}

#[test]
fn as_many_layers_as_the_limit_are_allowed() {
    let made = sound(&format!(
        "block b {{ relu }}\n{}",
        model("repeat 100000 { b }")
    ));
    assert_eq!(layers(&made).len(), 100_000);
    assert_eq!(made.layers[99_999].path, "repeat0.99999.relu0");
    refused_at_once(&model("repeat 100000 { relu } relu"));
    let flat = sound(&model(&"relu\n".repeat(100_000)));
    assert_eq!(layers(&flat).len(), 100_000);
    refused_at_once(&model(&"relu\n".repeat(100_001)));
}

#[test]
fn a_mistake_in_a_repeat_is_said_once() {
    assert_eq!(
        wrong(&model("repeat 1000 { conv(0, kernel: 3) }")),
        [Code::Value]
    );
    assert_eq!(
        wrong(&model("repeat 1000 { conv(3, kernel: 2) relu(1) }")),
        [Code::Value, Code::Type]
    );
}

/// Flags come with new versions, and checkpoints of older ones keep loading.
#[test]
fn params_of_checkpoints_may_be_called_like_flags() {
    let text = format!("param top: int = 4\n{}", model("linear(top)"));
    assert_eq!(wrong(&text), [Code::Name]);
    let flag = Override {
        target: OverrideTarget::Param,
        name: "top".into(),
        value: "7".into(),
    };
    let mut sources = Sources::new("test.van", text.as_str());
    let model = vanc::check::recheck(&mut sources, &[flag], false).unwrap();
    assert_eq!(model.output, Shape::Flat(7));
}
