using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace Iroh.Blobs.Store.Disk;

/// <summary>
/// The database of a store: complete blobs, small content and outboards, tags. Changes that come together share a transaction and its flush;
/// each is there when its task ends. Thread-safe.
/// </summary>
internal sealed class BlobIndex : IDisposable
{
    /// <summary>Changes of one transaction, as upstream: a flush is paid by many, and none waits long.</summary>
    private const int BatchMax = 1000;

    private readonly IndexConnection _writer;
    private readonly string _path;
    private readonly BlockingCollection<Change> _changes = [];
    private readonly ConcurrentBag<IndexConnection> _readers = [];
    private readonly Thread _thread;

    /// <param name="path">The file; made if there is none.</param>
    /// <param name="flushesToDisk">See <see cref="BlobStoreOptions.FlushesToDisk"/>.</param>
    /// <exception cref="BlobStoreException">It is damaged, or of a later version.</exception>
    public BlobIndex(string path, bool flushesToDisk)
    {
        _path = path;
        _writer = IndexConnection.OpenWriter(path, flushesToDisk);
        _thread = new Thread(WriteChanges) { IsBackground = true, Name = "blob index" };
        _thread.Start();
    }

    /// <summary>Runs a change in a transaction.</summary>
    /// <exception cref="StoreFullException">There is no room; nothing changed.</exception>
    /// <exception cref="BlobStoreException">The database failed.</exception>
    public Task ChangeAsync(Action<IndexConnection> change)
    {
        var queued = new Change(change);
        try
        {
            _changes.Add(queued);
        }
        catch (InvalidOperationException e)
        {
            throw new ObjectDisposedException("the blob store is closed", e);
        }

        return queued.Done.Task;
    }

    /// <summary>Asks something, beside the changes.</summary>
    public T Read<T>(Func<IndexConnection, T> question)
    {
        IndexConnection? connection = null;
        try
        {
            if (!_readers.TryTake(out connection))
                connection = IndexConnection.OpenReader(_path);
            T answer = question(connection);
            _readers.Add(connection);
            return answer;
        }
        catch (SqliteException e)
        {
            connection?.Dispose();
            throw IndexConnection.Failed(_path, e);
        }
    }

    /// <summary>Ends after the changes that wait.</summary>
    public void Dispose()
    {
        _changes.CompleteAdding();
        _thread.Join();
        _changes.Dispose();
        while (_readers.TryTake(out IndexConnection? reader))
            reader.Dispose();
        _writer.Dispose();
    }

    private void WriteChanges()
    {
        var batch = new List<Change>();
        foreach (Change first in _changes.GetConsumingEnumerable())
        {
            batch.Add(first);
            while (batch.Count < BatchMax && _changes.TryTake(out Change? next))
                batch.Add(next);
            Exception? failure = Commit(batch);
            if (failure is null || batch.Count == 1)
            {
                Finish(batch, failure);
            }
            else
            {
                // One of them is to blame; the others must not suffer.
                foreach (Change change in batch)
                    Finish([change], Commit([change]));
            }

            batch.Clear();
        }
    }

    private Exception? Commit(IReadOnlyList<Change> batch)
    {
        try
        {
            _writer.InTransaction(() =>
            {
                foreach (Change change in batch)
                    change.Run(_writer);
            });
            return null;
        }
        catch (SqliteException e)
        {
            return IndexConnection.Failed(_path, e);
        }
        catch (InvalidOperationException e)
        {
            return e; // a bug of whoever asked, who is told
        }
    }

    private static void Finish(IReadOnlyList<Change> batch, Exception? failure)
    {
        foreach (Change change in batch)
        {
            if (failure is null)
                change.Done.SetResult();
            else
                change.Done.SetException(failure);
        }
    }

    private sealed record Change(Action<IndexConnection> Run)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
