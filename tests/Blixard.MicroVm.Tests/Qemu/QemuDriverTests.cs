using System.Text;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;

namespace Blixard.MicroVm.Tests.Qemu;

/// <summary>Real guests on the real QEMU.</summary>
[Collection(nameof(RealQemu))]
public sealed class QemuDriverTests(RealQemu image) : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(RealQemu.Limit);

    public void Dispose()
    {
        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_guest_boots_says_its_name_and_powers_off_when_asked()
    {
        VmPlace place = Place("web-1");
        await using IVmInstance instance = await Driver().StartAsync(new VmLaunch(Spec("web-1"), place), _limit.Token);

        await WaitForTextAsync(place.Log, "blixard-guest: up web-1 ");
        VmExit exit = await instance.StopAsync(RealQemu.Limit, _limit.Token);

        Assert.Equal(new VmExit(VmExitKind.Stopped, "stopped: the guest powered off when asked", 0), exit);
        await WaitForTextAsync(place.Log, "blixard-guest: down");
        Assert.Null(await Driver().AdoptAsync(place, _limit.Token));
    }

    private QemuDriver Driver() => new(new QemuDriverOptions { DataDirectory = _directory.Path, StartLimit = RealQemu.Limit });

    private VmPlace Place(string name)
    {
        string directory = Directory.CreateDirectory(_directory.File(name)).FullName;
        return new VmPlace(name, directory, new ConsoleLog(directory));
    }

    private VmSpec Spec(string name) => new() { Name = name, KernelPath = image.KernelPath, InitramfsPath = image.InitramfsPath };

    private async Task WaitForTextAsync(ConsoleLog log, string text)
    {
        var seen = new StringBuilder();
        long position = 0;
        byte[] buffer = new byte[4096];
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count = log.Read(ref position, buffer);
            seen.Append(Encoding.ASCII.GetString(buffer, 0, count));
            if (count == 0)
                await Task.Delay(20, _limit.Token);
        }
    }
}
