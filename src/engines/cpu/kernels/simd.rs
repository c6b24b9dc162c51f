//! Vectors of sixteen floats, computed by the instructions that the processor has.
//!
//! A kernel is written once, generic over [`Simd`] and always inlined; [`simd!`] makes
//! one compiled copy an instruction set and the function that chooses among them at run
//! time. The copies are the functions that carry `#[target_feature]`, so closures belong
//! outside of them: a closure made inside would not inherit the features.

mod operations;

pub use operations::Simd;

use crate::error::{Error, Result};

/// Environment variable that names the instruction set to use: `portable`, `avx2` or
/// `avx512`.
const VARIABLE: &str = "VANC_ISA";

/// An instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Instructions that every processor of the architecture has.
    Portable,
    /// 256-bit vectors with fused multiply-add.
    Avx2,
    /// 512-bit vectors.
    Avx512,
}

impl Isa {
    /// Best instruction set of this processor.
    pub fn best() -> Isa {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") {
                return Isa::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Isa::Avx2;
            }
        }
        Isa::Portable
    }

    /// Instruction set that `VANC_ISA` names, or the best one if it is not set.
    ///
    /// # Errors
    /// When the variable names no instruction set, or one that this processor lacks.
    pub fn chosen() -> Result<Isa> {
        let Some(name) = std::env::var_os(VARIABLE) else {
            return Ok(Isa::best());
        };
        let name = name.to_string_lossy();
        let help = || {
            let names: Vec<String> = Isa::all().map(|isa| isa.to_string()).collect();
            format!("set it to one of {}, or not at all", names.join(", "))
        };
        match Isa::all().find(|isa| isa.to_string() == name) {
            Some(isa) => Ok(isa),
            None => Err(Error::new(format!(
                "{VARIABLE}={name}: this processor has no such instruction set"
            ))
            .help(help())),
        }
    }

    /// Lists the instruction sets of this processor.
    pub fn all() -> impl Iterator<Item = Isa> {
        [Isa::Portable, Isa::Avx2, Isa::Avx512]
            .into_iter()
            .filter(|isa| *isa <= Isa::best())
    }
}

impl std::fmt::Display for Isa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        })
    }
}

/// Defines a function that runs `generic::<S>`, compiled for and chosen by an [`Isa`].
macro_rules! simd {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) = $generic:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis unsafe fn $name(isa: $crate::engines::cpu::kernels::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[allow(clippy::too_many_arguments)]
            #[target_feature(enable = "avx512f")]
            unsafe fn avx512($($arg: $type),*) {
                // SAFETY: the caller's promises, and the set is enabled here.
                unsafe { $generic::<$crate::engines::cpu::kernels::simd::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[allow(clippy::too_many_arguments)]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $type),*) {
                // SAFETY: the caller's promises, and the set is enabled here.
                unsafe { $generic::<$crate::engines::cpu::kernels::simd::Avx2>($($arg),*) }
            }
            // SAFETY: the processor has the set, since `Pool` offers no other; the rest is
            // the caller's promise.
            unsafe {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    $crate::engines::cpu::kernels::Isa::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::engines::cpu::kernels::Isa::Avx2 => avx2($($arg),*),
                    // Elsewhere there is no other set.
                    #[cfg(not(target_arch = "x86_64"))]
                    $crate::engines::cpu::kernels::Isa::Avx512
                    | $crate::engines::cpu::kernels::Isa::Avx2 => {
                        $generic::<$crate::engines::cpu::kernels::simd::Portable>($($arg),*)
                    }
                    $crate::engines::cpu::kernels::Isa::Portable => {
                        $generic::<$crate::engines::cpu::kernels::simd::Portable>($($arg),*)
                    }
                }
            }
        }
    };
}
pub(crate) use simd;

/// Plain Rust, vectorised by the compiler as far as the target allows.
#[derive(Clone, Copy)]
pub struct Portable;

#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Floats([f32; 16]);

impl Portable {
    #[inline(always)]
    fn map2(a: Floats, b: Floats, f: impl Fn(f32, f32) -> f32) -> Floats {
        Floats(std::array::from_fn(|i| f(a.0[i], b.0[i])))
    }

    #[inline(always)]
    fn choose(holds: impl Fn(usize) -> bool, a: Floats, b: Floats) -> Floats {
        Floats(std::array::from_fn(
            |i| {
                if holds(i) { a.0[i] } else { b.0[i] }
            },
        ))
    }
}

impl Simd for Portable {
    type V = Floats;
    const ROWS: usize = 4;
    const PAIR: bool = false;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Floats {
        Floats([x; 16])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Floats {
        // SAFETY: the caller gives sixteen readable floats, of any alignment.
        Floats(unsafe { from.cast::<[f32; 16]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, x: Floats) {
        // SAFETY: the caller gives sixteen writable floats, of any alignment.
        unsafe { to.cast::<[f32; 16]>().write_unaligned(x.0) }
    }
    #[inline(always)]
    unsafe fn add(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn fma(a: Floats, b: Floats, c: Floats) -> Floats {
        // Not `mul_add`, which is a library call where the target lacks the instruction.
        Floats(std::array::from_fn(|i| a.0[i] * b.0[i] + c.0[i]))
    }
    #[inline(always)]
    unsafe fn max(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn reciprocal(x: Floats) -> Floats {
        Floats(x.0.map(|x| 1.0 / x))
    }
    #[inline(always)]
    unsafe fn div(a: Floats, b: Floats) -> Floats {
        Self::map2(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(x: Floats) -> Floats {
        Floats(x.0.map(f32::sqrt))
    }
    #[inline(always)]
    unsafe fn if_positive(x: Floats, a: Floats, b: Floats) -> Floats {
        Self::choose(|i| x.0[i] > 0.0, a, b)
    }
    #[inline(always)]
    unsafe fn if_less(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats {
        Self::choose(|i| x.0[i] < y.0[i], a, b)
    }
    #[inline(always)]
    unsafe fn if_at_most(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats {
        Self::choose(|i| x.0[i] <= y.0[i], a, b)
    }
    #[inline(always)]
    unsafe fn if_equal(x: Floats, y: Floats, a: Floats, b: Floats) -> Floats {
        Self::choose(|i| x.0[i] == y.0[i], a, b)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86;
#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

/// Floating-point mode of a thread before a change; restored on drop.
pub struct FloatMode(#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] u32);

/// Makes subnormal results and operands zero on this thread. They cost a hundred times as
/// much as normal numbers, and vanishing gradients are full of them.
pub fn flush_to_zero() -> FloatMode {
    #[cfg(target_arch = "x86_64")]
    {
        /// Bits FTZ and DAZ of MXCSR.
        const FLUSH: u32 = 0x8040;
        let old = read_mode();
        if old & FLUSH != FLUSH {
            write_mode(old | FLUSH);
        }
        FloatMode(old)
    }
    #[cfg(not(target_arch = "x86_64"))]
    FloatMode(0)
}

impl Drop for FloatMode {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if read_mode() != self.0 {
            write_mode(self.0);
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn read_mode() -> u32 {
    let mut mode = 0u32;
    // SAFETY: stores MXCSR, which every x86-64 has, to a local.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut mode, options(nostack)) };
    mode
}

#[cfg(target_arch = "x86_64")]
fn write_mode(mode: u32) {
    // SAFETY: loads a mode that differs from the one in force by FTZ and DAZ at most.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const mode, options(nostack)) };
}
