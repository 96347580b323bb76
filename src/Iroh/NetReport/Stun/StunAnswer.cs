using System.Net;

namespace Iroh.NetReport.Stun;

/// <summary>An answer to a binding request.</summary>
/// <param name="Id">The transaction that it claims to answer.</param>
/// <param name="Mapped">The address that the server saw; null in an error.</param>
/// <param name="ErrorCode">300 to 699 in an error, otherwise 0 (RFC 8489 §14.8).</param>
internal readonly record struct StunAnswer(StunTransactionId Id, IPEndPoint? Mapped, int ErrorCode);
