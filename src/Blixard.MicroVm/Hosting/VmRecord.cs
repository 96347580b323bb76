using System.Text.Json;
using System.Text.Json.Serialization;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Reconciliation;

namespace Blixard.MicroVm.Hosting;

/// <summary>What is kept about a VM in its directory, written before each step so that the next process knows how far this one got.</summary>
internal sealed record VmRecord
{
    public required VmSpec Spec { get; init; }

    public VmPhase Phase { get; init; }

    public long Epoch { get; init; }

    public long? Generation { get; init; }

    public int Restarts { get; init; }

    public int Ends { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public VmExit? Exit { get; init; }

    public string? Acceleration { get; init; }

    private static string FileIn(string directory) => Path.Combine(directory, "vm.json");

    /// <summary>Reads the record in <paramref name="directory"/>; null if there is none or it is damaged.</summary>
    public static VmRecord? TryRead(string directory)
    {
        try
        {
            VmRecord? record = JsonSerializer.Deserialize(File.ReadAllBytes(FileIn(directory)), VmRecordJson.Default.VmRecord);
            return record?.Spec is { } spec && spec.Check() is null && Enum.IsDefined(record.Phase) ? record : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes the record so that a crash leaves either the old or the new one.</summary>
    public void Write(string directory)
    {
        string temporary = FileIn(directory) + ".new";
        using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
        {
            JsonSerializer.Serialize(file, this, VmRecordJson.Default.VmRecord);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, FileIn(directory), overwrite: true);
    }
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, WriteIndented = true)]
[JsonSerializable(typeof(VmRecord))]
internal sealed partial class VmRecordJson : JsonSerializerContext;
