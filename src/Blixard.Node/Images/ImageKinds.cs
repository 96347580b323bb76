using Blixard.Images.Manifests;
using Blixard.V1;

namespace Blixard.Node.Images;

/// <summary>What images were made from, in manifests and in messages.</summary>
internal static class ImageKinds
{
    /// <summary>As a manifest says it; what a later version says and what is not said is a machine.</summary>
    public static ManifestKind ToManifest(ImageKind kind) => kind == ImageKind.Container ? ManifestKind.Container : ManifestKind.Machine;

    /// <summary>As a message says it.</summary>
    public static ImageKind ToMessage(ManifestKind kind) => kind == ManifestKind.Container ? ImageKind.Container : ImageKind.Machine;
}
