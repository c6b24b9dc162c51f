//! Structures that Rust and kernels share: declared on both sides, and checked when the
//! kernels are compiled.

/// Declares a structure that is laid out as in C, and `LAYOUT`, which says how.
macro_rules! shared {
    (
        $(#[$about:meta])*
        $visible:vis struct $name:ident as $c:literal {
            $($(#[$about_field:meta])* $seen:vis $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        $visible struct $name {
            $($(#[$about_field])* $seen $field: $type,)*
        }

        impl $name {
            /// Layout of the structure, which that of the structure in the kernels must be.
            pub const LAYOUT: $crate::engines::cuda::layout::Layout =
                $crate::engines::cuda::layout::Layout {
                    name: $c,
                    size: size_of::<$name>(),
                    fields: &[$((stringify!($field), size_of::<$type>())),*],
                };
        }
    };
}
pub(super) use shared;

/// Layout of a structure in memory.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Name of the structure in the kernels.
    pub name: &'static str,
    /// Bytes of the structure.
    pub size: usize,
    /// Names and bytes of the fields in their order, the same in Rust and in C.
    pub fields: &'static [(&'static str, usize)],
}

impl Layout {
    /// Prints assertions in C++20 that the kernels' structure has this layout: those of
    /// sizes fail where they differ, and designators compile in the order of the fields
    /// alone.
    pub fn assertions(&self) -> String {
        let Layout { name, size, fields } = self;
        let designators: Vec<String> = fields
            .iter()
            .map(|(field, _)| format!(".{field} = {{}}"))
            .collect();
        let fields = fields.iter().map(|(field, size)| {
            format!("static_assert(sizeof({name}::{field}) == {size}, \"{name}::{field}\");\n")
        });
        format!(
            "static_assert(sizeof({name}{{{}}}) == {size}, \"{name}\");\n{}",
            designators.join(", "),
            fields.collect::<String>()
        )
    }
}
