//! How a network itself is tuned, as it is chosen and as it is told.

use serde::Serialize;

/// How a network is tuned.
#[derive(Debug, Clone, Serialize)]
pub struct Rules {
    /// The last layers that learn, besides the head; `None` for all.
    pub layers: Option<usize>,
    /// Whether normalisations learn their statistics, as a network must that
    /// begins with random weights.
    pub statistics: bool,
    /// How often all pictures are learned from at most.
    pub epochs: usize,
    /// Pictures in a step.
    pub batch: usize,
    /// The largest learning rate, that of the head.
    pub learning_rate: f64,
    /// The rate of a layer by that of the one above it.
    pub layer_decay: f64,
    /// The decay of weights in a step, by the learning rate.
    pub weight_decay: f64,
    /// Epochs in which the rate rises to its largest.
    pub warm_up: f64,
    /// How the rate falls afterwards.
    pub schedule: Schedule,
    /// Epochs without improvement after which learning ends.
    pub patience: usize,
    /// The share of a picture's label that is spread over all categories.
    pub smoothing: f64,
    /// The parameter of the beta distribution by which two pictures are mixed;
    /// 0 mixes none.
    pub mix_up: f64,
    /// The share of itself that the average of weights keeps in a step.
    pub average: f64,
    /// How much small categories are lifted, as in a head's rules.
    pub balance: f64,
    /// How much of what is aimed at a teacher says, where there is one; the
    /// label says the rest.
    pub taught: f64,
    /// How pictures are changed.
    pub augment: Augment,
    /// Changed views of each picture whose values below the layers that learn
    /// are kept. Where all layers learn, each epoch has views of its own.
    pub views: usize,
    /// Two runs with the same number learn alike.
    pub seed: u64,
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Along half a cosine, to nothing at the last epoch.
    Cosine,
    /// To a third whenever two epochs bring no improvement.
    Plateau,
}

/// How pictures are changed before they are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Augment {
    /// The smallest share of a picture's area that is cut out and enlarged.
    pub crop: f64,
    /// Whether half of them are mirrored.
    pub flip: bool,
    /// Degrees that they are turned by at most.
    pub rotation: f64,
    /// The largest change of brightness, contrast and saturation, as a share.
    pub colour: f64,
    /// The share of pictures of which a rectangle is painted over.
    pub erase: f64,
    /// The share of pictures whose product, if it stands on white, is laid into
    /// another scene.
    pub clutter: f64,
    /// The share of pictures that get less light.
    pub dim: f64,
    /// The share of pictures that are blurred.
    pub blur: f64,
    /// The share of pictures that get grain.
    pub grain: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            layers: Some(12),
            statistics: false,
            epochs: 20,
            batch: 32,
            learning_rate: 3e-4,
            layer_decay: 0.9,
            weight_decay: 0.05,
            warm_up: 1.0,
            schedule: Schedule::Cosine,
            patience: 6,
            smoothing: 0.1,
            mix_up: 0.2,
            average: 0.99,
            balance: 0.5,
            taught: 0.5,
            augment: Augment::default(),
            views: 6,
            seed: 0,
        }
    }
}

impl Rules {
    /// What suits a compact network that begins with random weights.
    #[must_use]
    pub fn from_scratch() -> Self {
        Self {
            layers: None,
            statistics: true,
            epochs: 60,
            learning_rate: 2e-3,
            layer_decay: 1.0,
            warm_up: 2.0,
            patience: 12,
            average: 0.995,
            ..Self::default()
        }
    }
}

impl Augment {
    /// What networks learn well from.
    pub const LEARNING: Self = Self {
        crop: 0.5,
        flip: true,
        rotation: 10.0,
        colour: 0.2,
        erase: 0.2,
        clutter: 0.0,
        dim: 0.0,
        blur: 0.0,
        grain: 0.0,
    };

    /// What a head on a frozen network learns to bear: it cannot learn to see
    /// better, only what to heed in pictures that are worse.
    pub const BEARING: Self =
        Self { rotation: 20.0, erase: 0.3, dim: 0.2, blur: 0.3, grain: 0.2, ..Self::LEARNING };

    /// The same, stronger or weaker: 0 changes nothing, 1 is this.
    #[must_use]
    pub fn scaled(self, strength: f64) -> Self {
        let strength = strength.max(0.0);
        let share = |share: f64| (share * strength).min(1.0);
        Self {
            crop: (1.0 - (1.0 - self.crop) * strength).clamp(0.1, 1.0),
            flip: self.flip && strength > 0.0,
            rotation: self.rotation * strength,
            colour: (self.colour * strength).min(0.9),
            erase: share(self.erase),
            dim: share(self.dim),
            blur: share(self.blur),
            grain: share(self.grain),
            clutter: share(self.clutter),
        }
    }
}

impl Default for Augment {
    fn default() -> Self {
        Self::LEARNING
    }
}

/// What an epoch brought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Its number; 0 is the state before the first.
    pub epoch: usize,
    /// The learning rate at its end.
    pub learning_rate: f64,
    /// The mean loss over its steps, with all that makes learning harder.
    pub loss: f64,
    /// The share of its changed pictures whose best category was right, while
    /// they were learned from.
    pub train_top_1: f64,
    /// The mean log loss on the pictures that choose, at its best temperature.
    pub log_loss: f64,
    /// The share of them whose best category is right.
    pub top_1: f64,
}

/// How a network was tuned.
#[derive(Debug, Clone, Serialize)]
pub struct Tuning {
    /// The rules.
    #[serde(flatten)]
    pub rules: Rules,
    /// Whether the network began with random weights.
    pub from_scratch: bool,
    /// The model whose answers were learned from besides the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teacher: Option<String>,
    /// Layers of the network, besides the head.
    pub layers_of_network: usize,
    /// Numbers that learned.
    pub learned: usize,
    /// The epoch whose weights were kept.
    pub best: usize,
    /// Where it was learned.
    pub device: String,
    /// Each epoch.
    pub epochs_done: Vec<Epoch>,
}
