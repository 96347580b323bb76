namespace Blixard.Node.Configuration;

/// <summary>The limits of labels (common.proto, NodeInfo).</summary>
internal static class LabelRules
{
    public const int CountMax = 64;
    public const int KeyLengthMax = 63;
    public const int ValueLengthMax = 253;

    /// <summary>Says in a sentence what is wrong, or null.</summary>
    public static string? Check(IEnumerable<KeyValuePair<string, string>> labels)
    {
        int count = 0;
        foreach ((string key, string value) in labels)
        {
            if (++count > CountMax)
                return $"There are more than {CountMax} labels.";
            if (key.Length is 0 or > KeyLengthMax)
                return $"The label key '{key}' has not 1 to {KeyLengthMax} characters.";
            if (value.Length > ValueLengthMax)
                return $"The value of the label '{key}' has more than {ValueLengthMax} characters.";
        }

        return null;
    }
}
